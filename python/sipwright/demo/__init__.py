"""`sipwright demo`: a server, two phones and a call over TLS, to see that everything works and what it looks like."""
