"""The contract between the parties of Xinyidai: what goes over the wire, and what is signed. Imports nothing of ours."""
