"""The pages of the documentation, made of what is there: documents, rules, commands, the API."""
