"""Side-by-side measurements of EISHRO and a reference server written for the purpose.

`python -m bench` runs them; README.md says what is compared and what is not.
"""
