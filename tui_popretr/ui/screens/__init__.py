"""Screens above the dashboard: help, the question before quitting, a client's details, problems."""
