"""Version 1 of the admin contract: messages and stubs generated from the .proto files here."""
