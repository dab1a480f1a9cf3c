"""Runs the engine without a dashboard and reports in lines. Never imports textual."""
