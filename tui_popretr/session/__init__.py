"""A session, from connecting to QUIT: opening, login, plan, retrieval, deletions."""
