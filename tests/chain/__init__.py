"""The whole chain with programs of others: oidc-provider, Chromium and Dovecot. Nightly only."""
