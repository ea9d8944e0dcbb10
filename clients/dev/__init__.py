"""A development deployment: throwaway authorities, configuration files, and the whole system as real processes."""
