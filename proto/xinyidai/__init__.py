"""The contract between the parties of Xinyidai: what goes over the wire, what is signed. Imports nothing of ours."""
