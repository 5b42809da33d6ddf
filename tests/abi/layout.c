/* Prints the layout of the public structs as a C compiler sees it: name, size or offset, one a line. */
#include <stddef.h>
#include <stdio.h>

#include "kprod.h"

#define SIZE(type) printf("%s %zu\n", #type, sizeof(type))
#define FIELD(type, field) printf("%s.%s %zu\n", #type, #field, offsetof(type, field))

_Static_assert(sizeof(kprod_record_t) == 104, "kprod_record_t is frozen");
_Static_assert(sizeof(kprod_header_t) == 32, "kprod_header_t is frozen");
_Static_assert(sizeof(kprod_delivery_t) == 80, "kprod_delivery_t is frozen");
_Static_assert(sizeof(kprod_partition_request_t) == 88, "kprod_partition_request_t is frozen");
_Static_assert(sizeof(kprod_packed_t) == 48, "kprod_packed_t is frozen");
_Static_assert(sizeof(kprod_group_offset_t) == 64, "kprod_group_offset_t is frozen");
_Static_assert(sizeof(kprod_group_metadata_t) == 80, "kprod_group_metadata_t is frozen");
_Static_assert(sizeof(kprod_batch_append_t) == 48, "kprod_batch_append_t is frozen");
_Static_assert(sizeof(kprod_metrics_t) == 256, "kprod_metrics_t is frozen");

int main(void)
{
    SIZE(kprod_header_t);
    FIELD(kprod_header_t, key);
    FIELD(kprod_header_t, key_len);
    FIELD(kprod_header_t, value);
    FIELD(kprod_header_t, value_len);
    SIZE(kprod_record_t);
    FIELD(kprod_record_t, key);
    FIELD(kprod_record_t, key_len);
    FIELD(kprod_record_t, value);
    FIELD(kprod_record_t, value_len);
    FIELD(kprod_record_t, headers);
    FIELD(kprod_record_t, header_count);
    FIELD(kprod_record_t, partition);
    FIELD(kprod_record_t, timestamp_ms);
    FIELD(kprod_record_t, tag);
    FIELD(kprod_record_t, topic);
    FIELD(kprod_record_t, reserved0);
    FIELD(kprod_record_t, topic_name);
    FIELD(kprod_record_t, topic_name_len);
    FIELD(kprod_record_t, reserved);
    SIZE(kprod_delivery_t);
    FIELD(kprod_delivery_t, kind);
    FIELD(kprod_delivery_t, error);
    FIELD(kprod_delivery_t, tag);
    FIELD(kprod_delivery_t, topic);
    FIELD(kprod_delivery_t, partition);
    FIELD(kprod_delivery_t, offset);
    FIELD(kprod_delivery_t, timestamp_ms);
    FIELD(kprod_delivery_t, timestamp_type);
    FIELD(kprod_delivery_t, count);
    FIELD(kprod_delivery_t, flags);
    FIELD(kprod_delivery_t, reserved0);
    FIELD(kprod_delivery_t, detail);
    FIELD(kprod_delivery_t, log_start_offset);
    FIELD(kprod_delivery_t, reserved);
    SIZE(kprod_partition_request_t);
    FIELD(kprod_partition_request_t, topic_name);
    FIELD(kprod_partition_request_t, topic_name_len);
    FIELD(kprod_partition_request_t, key);
    FIELD(kprod_partition_request_t, key_len);
    FIELD(kprod_partition_request_t, value);
    FIELD(kprod_partition_request_t, value_len);
    FIELD(kprod_partition_request_t, available);
    FIELD(kprod_partition_request_t, available_count);
    FIELD(kprod_partition_request_t, partition_count);
    FIELD(kprod_partition_request_t, topic);
    FIELD(kprod_partition_request_t, reserved0);
    FIELD(kprod_partition_request_t, reserved);
    SIZE(kprod_packed_t);
    FIELD(kprod_packed_t, tag);
    FIELD(kprod_packed_t, timestamp_ms);
    FIELD(kprod_packed_t, topic);
    FIELD(kprod_packed_t, partition);
    FIELD(kprod_packed_t, offset);
    FIELD(kprod_packed_t, key_len);
    FIELD(kprod_packed_t, value_len);
    FIELD(kprod_packed_t, headers_len);
    FIELD(kprod_packed_t, header_count);
    FIELD(kprod_packed_t, reserved);
    SIZE(kprod_group_offset_t);
    FIELD(kprod_group_offset_t, topic_name);
    FIELD(kprod_group_offset_t, topic_name_len);
    FIELD(kprod_group_offset_t, offset);
    FIELD(kprod_group_offset_t, metadata);
    FIELD(kprod_group_offset_t, metadata_len);
    FIELD(kprod_group_offset_t, partition);
    FIELD(kprod_group_offset_t, leader_epoch);
    FIELD(kprod_group_offset_t, reserved);
    SIZE(kprod_group_metadata_t);
    FIELD(kprod_group_metadata_t, group_id);
    FIELD(kprod_group_metadata_t, group_id_len);
    FIELD(kprod_group_metadata_t, member_id);
    FIELD(kprod_group_metadata_t, member_id_len);
    FIELD(kprod_group_metadata_t, group_instance_id);
    FIELD(kprod_group_metadata_t, group_instance_id_len);
    FIELD(kprod_group_metadata_t, generation_id);
    FIELD(kprod_group_metadata_t, reserved0);
    FIELD(kprod_group_metadata_t, reserved);
    SIZE(kprod_batch_append_t);
    FIELD(kprod_batch_append_t, timestamp_ms);
    FIELD(kprod_batch_append_t, offset);
    FIELD(kprod_batch_append_t, size);
    FIELD(kprod_batch_append_t, reserved);
    SIZE(kprod_metrics_t);
    FIELD(kprod_metrics_t, records_delivered);
    FIELD(kprod_metrics_t, requests_in_flight);
    FIELD(kprod_metrics_t, reserved);
    return 0;
}
