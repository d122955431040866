CREATE TABLE IF NOT EXISTS plop.pods (container String, namespace String, pod String, name String) ENGINE = ReplacingMergeTree ORDER BY container;

SELECT namespace, pod, sum(weighted) / 1000000 AS samples
FROM (
  SELECT container, sum(weighted) AS weighted
  FROM (
    SELECT process_id, sum(samples * weight) AS weighted
    FROM plop.samples FINAL
    WHERE start > toDateTime(toUInt32(now()) - 3600)
    GROUP BY process_id
  ) AS counted
  GLOBAL ANY LEFT JOIN (
    SELECT process_id, toString(container) AS container
    FROM plop.processes
    WHERE day >= toDate(toUInt32(now()) - 86400)
  ) AS seen USING process_id
  GROUP BY container
) AS of_containers
GLOBAL ANY LEFT JOIN (
  SELECT container, namespace, pod FROM plop.pods
) AS named USING container
GROUP BY namespace, pod
ORDER BY samples DESC;
