"""The control socket: how other programs watch and steer the daemon. docs/control.md describes the protocol."""
