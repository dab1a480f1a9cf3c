"""A session, from connecting to QUIT: exploration, login, plan, retrieval, deletions."""
