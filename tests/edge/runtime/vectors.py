"""Made by the native profile: what it seals and hashes must be good on the edge, and back."""

SEALED = "cayAfGlgE6ZefOoC1FhjwbF6wJgWsNkXcx8XRhzB1IE="  # Keyring(["k" * 32]), purpose "purpose", the text "سر"
BCRYPT_PASSWORD = "كلمة سر طويلة"
BCRYPT_HASH = "$2b$04$ZLNJNurXIZ1Uevp6aOm5kegEPi4c1TaQ22Xj4ixZ5Mo.u42VlX/UO"
