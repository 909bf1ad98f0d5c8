"""Documents for people: the press that makes PDFs."""
