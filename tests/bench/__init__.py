"""How fast it is: run by ``make bench``; the tests only see that it runs."""
