"""State, texts and layout of the dashboard, without Textual. Pure, except for mailbox, mailfile and saving."""
