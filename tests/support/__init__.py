"""What tests are made with: servers and helpers that are no tests themselves."""
