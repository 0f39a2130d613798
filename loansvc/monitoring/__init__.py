"""Monitoring: what the ledger says of many decisions, and what a change would do to them.

    figures    what is added up: numbers of decisions and whole yuan
    reading    recorded decisions, newest first, a page at a time
    report     a period by product, group, department, village and month
    offers     what approvals cost a year, and which terms of an offer differ
    impact     recorded decisions decided again with one edition replaced
    history    each decision with what the card read and what became of it, to train on
    drift      whether those who apply are still alike, and what moved the mean score
    lent       what became of the loans behind decisions
    limits     what a period must keep to, and what is out of date
    watch      a period against its reference and its limits
    budget     how far a successor may move answers before somebody must say why
    challengers  a challenger beside its champion, from what was recorded of both
    ends       which loans went bad within their window
    estimates  shares and Gini with their intervals
    sequential whose PDs were nearer to what happened, looked at as often as anybody likes

Figures are sums over recorded decisions; nothing here decides, and nothing is written
to the ledger. A table, a page and a text are made from the same value. Names no person.
"""
