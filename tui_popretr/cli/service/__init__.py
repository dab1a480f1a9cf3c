"""`tui-popretr service`: units for systemd."""
