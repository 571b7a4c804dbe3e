"""Attacks on a whole Luot, most of them by one machine, and what they did to everybody else.

`make attack` runs them for about half an hour and prints a table; test_attack.py is the
short form. Everything stays on the loopback interface, and every attack is bounded.

target     a whole Luot as the compose file limits it, with two sites
honest     readers of both sites, with books, and an administrator who signs in all the time
floods     attacks on ingest: hits, bots, paths, visits, memory
requests   attacks on the API: sign-in, memory, queries, requests that are no HTTP
visitors   a log that is full of visitors
aftermath  what got through, and is taken back
run        one attack after another, and what each did
"""
