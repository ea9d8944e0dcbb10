"""Events that enclaves signed for banks: kept, pushed in order, and listed. They cannot be made or changed here."""
