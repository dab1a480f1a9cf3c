"""`login`: gets access tokens from a provider. Loads nothing by itself."""
