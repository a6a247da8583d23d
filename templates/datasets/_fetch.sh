url="{{ address }}"
curl -fLH "Authorization: Bearer $MODELYARD_KEY" \
  -o "{{ archive }}" "$url" &amp;&amp;
  unzip -q "{{ archive }}" -d dataset &amp;&amp;
  curl -fsLH "Authorization: Bearer $MODELYARD_KEY" \
  "$url&amp;manifest" |
  (cd dataset &amp;&amp; sha256sum --check --quiet)
