"""How octets reach us: connections, TLS, and what certificates say."""
