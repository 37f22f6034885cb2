"""State that several servers share through Redis or Valkey: each keeps all of it in its own memory."""
