"""Tests of the ends: from every state of a session, in every way, once and twice."""
