url="{{ address }}"
auth="Authorization: Bearer $MODELYARD_KEY"
id=$(curl -fsSH "$auth" -H "Content-Type: application/json" \
  -d '{"version": "{{ wanted.version }}", "format": "{{ wanted.format }}"{% if wanted.task %}, "task": "{{ wanted.task }}"{% endif %}}' \
  "$url/export" | grep -o '"id":"[^"]*' | cut -d '"' -f 4)
while [ "$id" ] &amp;&amp; curl -fsSH "$auth" "$url/exports/$id" |
  grep -Eq '"state":"(waiting|running)"'; do sleep 1; done
[ "$id" ] &amp;&amp; curl -fLH "$auth" -o export.zip "$url/exports/$id/download" &amp;&amp;
  unzip -q export.zip -d dataset &amp;&amp;
  (cd dataset &amp;&amp; sha256sum --check --quiet SHA256SUMS)
