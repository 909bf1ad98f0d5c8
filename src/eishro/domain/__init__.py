"""What the shop is made of, one folder for each noun. Nouns do not import nouns."""
