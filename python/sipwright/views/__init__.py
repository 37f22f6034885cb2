"""What goes on inside a server, for people: ladder diagrams and live figures. No I/O here but that of the terminal."""
