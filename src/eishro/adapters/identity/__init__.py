"""Who vouches for people: logins of other houses that open an account here."""
