"""How far objections are, and who looked. Not what they are about: that passes between enterprise, enclave and
department."""
