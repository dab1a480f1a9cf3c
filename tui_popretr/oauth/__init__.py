"""Access tokens by OAuth 2 (RFC 6749): how a user logs in at a provider, and how tokens are kept and renewed."""
