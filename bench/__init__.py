"""Load generator that measures our server beside other TinyBase servers, in one run.

Start at `campaign.py` (what runs when), then `fanout.py` and `join.py` (the scenarios), `ledger.py`
(what makes a run count as correct) and `servers.py` (who is measured).
"""
