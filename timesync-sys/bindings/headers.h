/* The kernel's interfaces that nunect-timesync-sys binds. generator.rs says which parts of them. */

#include <stddef.h>
#include <sys/timex.h>

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <linux/version.h>

/* An ifreq that holds a pointer, as SIOCETHTOOL wants it, without the twelve other things that an ifreq can hold. */
struct ethtool_request {
    char name[IFNAMSIZ];
    void *data;
    char rest[sizeof(struct ifreq) - IFNAMSIZ - sizeof(void *)];
};
_Static_assert(sizeof(struct ethtool_request) == sizeof(struct ifreq), "size");
_Static_assert(_Alignof(struct ethtool_request) == _Alignof(struct ifreq), "alignment");
_Static_assert(offsetof(struct ethtool_request, name) == offsetof(struct ifreq, ifr_name), "name");
_Static_assert(offsetof(struct ethtool_request, data) == offsetof(struct ifreq, ifr_data), "data");

/* bindgen reads no macro that contains a sizeof, but it does read a constant. */
static const unsigned int IOCTL_PTP_CLOCK_GETCAPS = PTP_CLOCK_GETCAPS;
static const unsigned int IOCTL_PTP_SYS_OFFSET = PTP_SYS_OFFSET;
static const unsigned int IOCTL_PTP_SYS_OFFSET_PRECISE = PTP_SYS_OFFSET_PRECISE;
static const unsigned int IOCTL_PTP_SYS_OFFSET_EXTENDED = PTP_SYS_OFFSET_EXTENDED;
static const unsigned int IOCTL_SIOCETHTOOL = SIOCETHTOOL;

/* The enumeration itself has no name, and grows with almost every kernel. */
static const unsigned int STAMPING_TX_HARDWARE = SOF_TIMESTAMPING_TX_HARDWARE;
static const unsigned int STAMPING_TX_SOFTWARE = SOF_TIMESTAMPING_TX_SOFTWARE;
static const unsigned int STAMPING_RX_HARDWARE = SOF_TIMESTAMPING_RX_HARDWARE;
static const unsigned int STAMPING_RX_SOFTWARE = SOF_TIMESTAMPING_RX_SOFTWARE;
static const unsigned int STAMPING_SOFTWARE = SOF_TIMESTAMPING_SOFTWARE;
static const unsigned int STAMPING_RAW_HARDWARE = SOF_TIMESTAMPING_RAW_HARDWARE;
