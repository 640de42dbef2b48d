"""Plans: what each configuration would cost under a traffic, how fast it would answer, and which one to choose."""
