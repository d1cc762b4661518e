"""HTTP: requests and responses, forms, and the server that reads and writes them."""
