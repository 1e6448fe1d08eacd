"""Keep parcels and the rules about them; know nothing of telephones."""
