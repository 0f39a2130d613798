"""Portfolio: many applications at once, scored and decided by SQL that the editions become.

columns   what a table may hold, how it is read, and what is wrong with a row
judging   a policy, telling the reasons, sql both and a card behind one another: pure text
dialect   the little that DuckDB and Spark write differently
tables    files as DuckDB reads them
run       parts, a memory ceiling, a run that goes on where it was ended
spark     the same SQL on a cluster
"""
