#pragma once
#include <zephyr/bluetooth/bluetooth.h>
#define BT_UUID_NUS_SRV_VAL 0x9e, 0xca, 0xdc, 0x24, 0x0e, 0xe5, 0xa9, 0xe0, 0x93, 0xf3, 0xa3, 0xb5, 0x01, 0x00, 0x40, 0x6e
struct bt_nus_cb {
    void (*notif_enabled)(bool enabled, void *context);
    void (*received)(struct bt_conn *connection, const void *data, uint16_t count, void *context);
};
int bt_nus_cb_register(struct bt_nus_cb *callbacks, void *context);
int bt_nus_send(struct bt_conn *connection, const void *data, uint16_t count);
