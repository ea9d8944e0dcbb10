"""What both edges do: sanity-check a document, relay it to the enclave it names, and note that it passed."""
