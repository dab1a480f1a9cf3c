"""Access tokens by OAuth 2: how they are got, kept and renewed."""
