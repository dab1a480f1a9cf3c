"""The face without a terminal: runs the engine and says in lines what happens. Never imports textual."""
