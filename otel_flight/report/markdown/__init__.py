"""Reports as Markdown: for a ticket, a chat, or an assistant that reads it."""
