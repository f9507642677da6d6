#pragma once
#include <zephyr/kernel.h>
struct bt_conn;
struct bt_le_adv_param;
struct bt_data {
    uint8_t type, data_len;
    const uint8_t *data;
};
struct bt_conn_cb {
    void (*recycled)(void);
};
#define BT_CONN_CB_DEFINE(name) struct bt_conn_cb bt_conn_cb_##name
#define BT_DATA_FLAGS 0x01
#define BT_DATA_UUID128_ALL 0x07
#define BT_DATA_NAME_COMPLETE 0x09
#define BT_LE_AD_GENERAL 0x02
#define BT_LE_AD_NO_BREDR 0x04
#define BT_DATA(kind, bytes, count) {.type = (kind), .data_len = (count), .data = (const uint8_t *)(bytes)}
#define BT_DATA_BYTES(kind, ...) BT_DATA(kind, ((uint8_t[]){__VA_ARGS__}), sizeof((uint8_t[]){__VA_ARGS__}))
#define BT_LE_ADV_CONN_FAST_1 ((const struct bt_le_adv_param *)0)
int bt_enable(void (*ready)(int error));
int bt_le_adv_start(const struct bt_le_adv_param *parameters, const struct bt_data *said, size_t said_count,
                    const struct bt_data *scanned, size_t scanned_count);
