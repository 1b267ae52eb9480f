/**
 * Functions of both servers (MariaDB 10.11, MySQL 8.4) that change nothing: no row, no lock, nothing of the session. A name
 * that only one of them knows (md5: MySQL has made it a component's) is not here, since on the other one it may be somebody's stored function; where a name is built in,
 * a stored function of that name is not called by it. Left out on purpose: get_lock and its family, sleep, benchmark, load_file,
 * last_insert_id, found_rows, row_count, uuid_short, nextval, name_const, master_pos_wait and its like.
 */
export const BUILT_IN_FUNCTIONS: ReadonlySet<string> = new Set(
  `
  avg bit_and bit_or bit_xor count group_concat json_arrayagg json_objectagg max min std stddev stddev_pop stddev_samp sum
  var_pop var_samp variance
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
  if ifnull nullif coalesce greatest least interval isnull
  ascii bin bit_length char char_length character_length concat concat_ws elt export_set field find_in_set format from_base64
  hex insert instr lcase left length locate lower lpad ltrim make_set mid oct octet_length ord position quote regexp_instr
  regexp_replace regexp_substr repeat replace reverse right rpad rtrim soundex space strcmp substr substring substring_index
  to_base64 trim ucase unhex upper weight_string
  abs acos asin atan atan2 ceil ceiling conv cos cot crc32 degrees exp floor ln log log10 log2 mod pi pow power radians rand
  round sign sin sqrt tan truncate bit_count
  adddate addtime convert_tz curdate current_date current_time current_timestamp curtime date date_add date_format date_sub
  datediff day dayname dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format hour last_day localtime
  localtimestamp makedate maketime microsecond minute month monthname now period_add period_diff quarter sec_to_time second
  str_to_date subdate subtime sysdate time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_days
  to_seconds unix_timestamp utc_date utc_time utc_timestamp week weekday weekofyear year yearweek
  cast convert charset collation coercibility
  json_array json_array_append json_array_insert json_contains json_contains_path json_depth json_extract json_insert
  json_keys json_length json_merge_patch json_merge_preserve json_object json_overlaps json_quote json_remove json_replace
  json_search json_set json_type json_unquote json_valid json_value
  sha2 aes_encrypt aes_decrypt compress uncompress uncompressed_length random_bytes uuid
  inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4 is_ipv6
  database schema user current_user session_user system_user version connection_id
  st_area st_asbinary st_asgeojson st_astext st_buffer st_centroid st_contains st_crosses st_difference st_dimension
  st_disjoint st_distance st_distance_sphere st_envelope st_equals st_geomfromgeojson st_geomfromtext st_geomfromwkb
  st_intersection st_intersects st_isempty st_issimple st_length st_overlaps st_srid st_touches st_union st_within st_x st_y
  `
    .trim()
    .split(/\s+/),
)
