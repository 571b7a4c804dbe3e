"""User-Agents of people: telephones sold in Vietnam, the applications they read in, and the odd.

Composed from facts (names of systems, builds, applications and the shape of what they send), so
that a list of crawlers can be tried on whole groups of readers and not on single lines.
"""

from collections.abc import Iterator

_TELEPHONES = (
    ("15", "CPH2581", "AP3A.240617.008"),  # OPPO and OnePlus share this build
    ("15", "RMX3990", "AP3A.240617.008"),
    ("15", "V2318", "AP3A.240905.015.A2"),
    ("14", "SM-A556E", "UP1A.231005.007"),
    ("14", "2312DRA50G", "UKQ1.230917.001"),
    ("13", "Infinix X6833B", "TP1A.220624.014"),
    ("12", "TECNO KI5q", "SP1A.210812.016"),
    ("11", "Joy 4", "RP1A.200720.011"),  # VSmart
    ("10", "Nokia 2.4", "QP1A.190711.020"),
    ("9", "Mobiistar Zumbo S2", "PPR1.180610.011"),
    ("8.1.0", "Masstel X9 Fami", "O11019"),
    ("7.0", "X428 Astute", "NRD90M"),
    ("6.0", "CUBOT NOTE S", "MRA58K"),
    ("4.2.2", "HTC Butterfly", "JDQ39"),
)
_TELEVISIONS = (
    ("11", "Sharp Google TV 4K", "RTM6.230109.257"),
    ("9", "yandexstation_2", "PPR1.180610.011"),
    ("9", "AI Smart TV", "PTO5.220304.001"),
)
_ANDROID_APPLICATIONS = (
    "",
    " Zalo android/24120200 ZaloTheme/light ZaloLanguage/vi",
    " [FB_IAB/FB4A;FBAV/540.0.0.41.70;]",
    " [FBAN/EMA;FBLC/vi_VN;FBAV/420.0.0.9.115;]",
    " [FB_IAB/Orca-Android;FBAV/480.0.0.12.105;]",
    " MetaIAB Facebook",
    " MetaIAB Messenger",
    " MetaIAB Instagram",
    " Instagram 370.0.0.42.96 Android (34/14; 450dpi; 1080x2340; samsung; SM-A556E; a55x; vi_VN)",
    " Barcelona 360.0.0.30.109 Android",
    (
        " musical_ly_2023709040 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly"
        " app_version/37.9.4 ByteLocale/vi BytedanceWebview/d8a21c6"
    ),
    " trill_370904 BytedanceWebview/d8a21c6",
    " HeyTapBrowser/45.11.3.1",
    " VivoBrowser/13.6.2.0",
    " coc_coc_browser/128.0.136",
    " SogouMSE,SogouMobileBrowser/6.5.11",
    " AWP/2.0 SogouSearch Android1.0 version3.0",
    " GSA/15.45.33.28.arm64",
    " Line/15.1.0/IAB",
    " Viber/24.1.0.0",
    " MicroMessenger/8.0.49.2600(0x28003133) WeChat/arm64 NetType/WIFI Language/vi",
    " Telegram-Android/11.5.3 (Samsung SM-A556E; Android 14; SDK 34; AVERAGE)",
    " Shopee/3.41.20 Android Cronet/120.0.6099.43",
    " MBBank/6.2 GoogleNewsReader",
)
_APPLE_APPLICATIONS = (
    " Zalo iOS/469 ZaloTheme/light ZaloLanguage/vi",
    " [FBAN/FBIOS;FBAV/490.0.0.31.106;FBBV/680;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.6]",
    " [FBAN/MessengerForiOS;FBAV/480.0.0.31.105;FBDV/iPhone12,1;FBSN/iOS;FBSV/17.2]",
    " MetaIAB Facebook",
    " Instagram 360.0.0.29.91 (iPhone13,2; iOS 17_6_1; vi_VN; vi; scale=3.00; 1170x2532; 6)",
    " musical_ly_37.9.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/vi Region/VN",
    " GSA/340.3.695",
    " Line/15.1.0",
    " KAKAOTALK 10.8.3",
    " QR-Scanner/3.2",
    "",
)
_DESKTOPS = (
    "Windows NT 10.0; Win64; x64",
    "Windows NT 6.1; WOW64",
    "Windows NT 5.1",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0",
)
_BROWSERS = (
    "Chrome/139.0.0.0 Safari/537.36",
    "Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
    "coc_coc_browser/139.0.250 Chrome/133.0.0.0 Safari/537.36",
    "Chrome/109.0.0.0 Safari/537.36 OPR/95.0.0.0",
    "Chrome/120.0.0.0 YaBrowser/24.1.0.0 Safari/537.36",
    "Chrome/58.0.3029.110 Safari/537.36 SE 2.X MetaSr 1.0",
    "Chrome/126.0.0.0 Safari/537.36 Teams/24.1",
    "Chrome/86.0.4240.198 Safari/537.36 QIHU 360SE",
)
_OTHERS = (
    # what is installed beside Internet Explorer
    (
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Trident/4.0; QQDownload 691; SLCC2;"
        " .NET CLR 2.0.50727)"
    ),
    (
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; InfoPath.3; ms-office;"
        " Microsoft Outlook 14.0.7113)"
    ),
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; SLCC2; FDM; rv:11.0) like Gecko",
    # Office opens links by itself
    "Microsoft Office Word/16.78.1008 (Mac OS/14.0; Desktop; vi-VN; NonAppStore; Apple/Mac14,2)",
    "Microsoft Office Excel/16.0.13328 (Windows/10.0; Desktop x64; vi-VN; Universal app)",
    # applications that speak HTTP by a library
    "Dalvik/2.1.0 (Linux; U; Android 13; SM-A135F Build/TP1A.220624.014)",
    "VTVgo/3.1.6 CFNetwork/1494.0.7 Darwin/23.4.0",
    "MyTV/1.5 (AppleTv Apple TV 4; tvOS16.2) libcurl/7.58.0 OpenSSL/1.0.2o",
    "com.tcl.browser/660067 (Linux; U; Android 9; vi_VN; Smart TV; Build/PTO5; Cronet/114.0)",
    # telephones of before
    "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/191.345; U; vi) Presto/2.12.423 Version/12.16",
    "UCWEB/2.0 (MIDP-2.0; U; Adr 4.4.2; vi; Q-mobile Q-Smart) U2/1.0.0 UCBrowser/10.9.0 Mobile",
    "NokiaN73-2/3.0 Series60/3.0 Profile/MIDP-2.0 Configuration/CLDC-1.1",
    (
        "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Version/6.0 TV Safari/537.36"
    ),
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (Android 14; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0",
    (
        "Mozilla/5.0 (Linux; Android 11; AUPO Zeus 10 Pro) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/122.0.6261.119 Safari/537.36 OPR/81.2.4292.78581"
    ),
    (
        "Mozilla/5.0 (Linux; Android 13; FP4) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/101.0.4951.41 Mobile Safari/537.36 (Ecosia android@101.0.4951.41)"
    ),
)


def people() -> Iterator[str]:
    """Yield every User-Agent, each once."""
    for android, telephone, build in (*_TELEPHONES, *_TELEVISIONS):
        system = f"Linux; Android {android}; {telephone}"
        engine = "AppleWebKit/537.36 (KHTML, like Gecko)"
        for application in _ANDROID_APPLICATIONS:
            yield (
                f"Mozilla/5.0 ({system} Build/{build}; wv) {engine} Version/4.0"
                f" Chrome/136.0.0.0 Mobile Safari/537.36{application}"
            )
        yield f"Mozilla/5.0 ({system}) {engine} Chrome/139.0.0.0 Mobile Safari/537.36"
        yield f"Mozilla/5.0 ({system} Build/{build}) {engine} Chrome/99.0.0.0 Mobile Safari/537.36"
    for system in ("iPhone; CPU iPhone OS 17_6", "iPad; CPU OS 16_7", "iPhone; CPU iPhone OS 12_5"):
        engine = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
        for application in _APPLE_APPLICATIONS:
            yield f"Mozilla/5.0 ({system} like Mac OS X) {engine} Mobile/15E148{application}"
        yield (
            f"Mozilla/5.0 ({system} like Mac OS X) {engine} Version/17.6 Mobile/15E148 Safari/604.1"
        )
    for desktop in _DESKTOPS:
        for browser in _BROWSERS:
            yield f"Mozilla/5.0 ({desktop}) AppleWebKit/537.36 (KHTML, like Gecko) {browser}"
    yield from _OTHERS
