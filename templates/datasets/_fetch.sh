url="{{ address }}"
curl -fLH "Authorization: Bearer $MODELYARD_KEY" \
  -o "{{ archive }}" "$url"
unzip -q "{{ archive }}" -d dataset
curl -fsLH "Authorization: Bearer $MODELYARD_KEY" \
  "$url&amp;manifest" |
  (cd dataset && sha256sum --check --quiet)
