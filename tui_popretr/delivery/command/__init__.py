"""Delivery to a command (mda): dovecot-lda, maildrop, procmail, or whatever takes a message on its standard input."""
