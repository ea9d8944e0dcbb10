"""Banks: who may call, under which certificate, and by what name the public knows them."""
