"""What is done to history for reasons outside the conversation."""
