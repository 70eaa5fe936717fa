import SecureChannel

/// Accounts made for fuzzing and kept, so that inputs keep their meaning. They are those of the simulations.
enum HostileIdentities {
    /// Whose node is fuzzed.
    static let alice = try? Identity(
        authorityKey: nil, accountKey: PrivateKey(pem: aliceAccount), deviceKey: PrivateKey(pem: aliceDevice),
        chain: CertificateChain(pem: aliceChain))
    /// Who behaves.
    static let bob = try? Identity(
        authorityKey: nil, accountKey: PrivateKey(pem: bobAccount), deviceKey: PrivateKey(pem: bobDevice),
        chain: CertificateChain(pem: bobChain))
    /// Who does not, with certificates that are fine.
    static let mallory = try? Identity(
        authorityKey: nil, accountKey: PrivateKey(pem: malloryAccount), deviceKey: PrivateKey(pem: malloryDevice),
        chain: CertificateChain(pem: malloryChain))

    private static let aliceAccount = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDVtgQuH28LG93d
        TwJUc+Fv0nohrboCn9N+egYIN1+6pNJeY6sKdHkvWWbDi15LaPNTezgc9BxC42/Q
        lmsQzToJFdMjkj2IfOv8FgrZi7gaLaps0FRS6P8BBhXhqLIHXQkBAuuWW5vd/nSV
        b6T5YzYObV3ZFCSU8Ij9pKz+UgEPWJrLvR6BUFVRSAzUY53AXYxG7FJIZhkW9XFY
        4EqtU60iF4mArz5Ym4clOFUafzX6BYr4v2w9UzU0Cw98g7CZZr67TAPvcoBExIGQ
        ik9sC6bONyw9kwoU2kmgR7V2CJzjWEZcLDZgP84TICKV3nt8LSNRbu6xBMPiwGsG
        7diiopGzAgMBAAECggEAAmLrtUkQn++eeCHLmd12bOkpKL4khqa4PVWZFLkFrQVJ
        ysECupSRnB2rU03gngNqsry+GJBdeSSCGhUhc9uuM+QGhljG9o/aPbmlsnIXwrvl
        Ma3RWp8LLqXFIiqk7L5UeFutc5WuJCzaBlIWZgHNHj223Sf5rqbBEAmPJyBg/Sn2
        d37OVYHdg5NSQalefYYKL5WsG3c/RvCkHkgk+ZeNvsGVdBpSJT8ja6luAMHP1Xyx
        +SdpjpzZyVI4IOaHrKKTvA6grCi1cnwNlLTZ6HUYcb6VDkJIFsSkaOC0CN5nD8fY
        zzgLjDT131bKWW8Hk6pI5cI/4tc55oAE4ueSXfREmQKBgQDveVke8afwUZHin0bl
        tvA7xhT5013vD8B9mol/zh9f7cf1wxF1iFOgC51qY0U99BTuvEvGL3nPjrKxe3Uf
        cSac4uQ7GbmIJsaknfIuIqvQimCfsi3+g+mlRAxK78ULeQmE0bmwftx6k1SDlq+D
        PgFGyGUzpXDYlN6ZunG/ubKm/QKBgQDkdYcQ7uhScrkVvrOYrlE09GH87/YQWHtO
        jSOKUg3LQLC709404vRw3IxHee42KInoykvBJr2WHGxIpEB1/AqUipfpOg6fZ0b8
        o/WjTxY0VLNVKxG9Z/HMuIQlHYRcjCMMGX/ziOViRBYfoajxZfIm4K6QEULYH9oD
        cDh9DOXybwKBgEztoYiEPtu/iGrRmdfffarmBgT/NnS+jaqLw1HwKDoLy6mSYYBt
        K9gFAyuS+kJdr3/Fs13WEH5xq8vCCizwj2Pkq0alC+nF8xgcuRjDAIi8ey+x8H6L
        Z7o0cvJ7tcPqvPkS2mDtT+x8ebDP7k/t0kEnzQLbSbX5lMyzjSj3AYINAoGAbJn5
        9PC8+8SRe2bGFUR4UgYCNq0Teb22ECdDx9Mtv3snCIK01Ms2jBgrjybFOHWY6VKR
        JGZ4JU2po/aAthV0KhygDjyNCvWbZynB8Tn9Qi8peMkai8FHzpvAJaycaSos1umg
        S3K+KDJZmfvNRcPCkvynvtCVyAuMJapJEBj7jn0CgYEAgCfRI/eiVMhnHUqKb69L
        C1jmXbSr+ziyZGJowDrluExE500EW7nrD3ni3M/IAGX35NBpvibOeUmgjjA81Z0J
        nt0Y4+9RkbBj8+oHZq1qnE8sIfQWyy/LewHv2wrrtcdUa7qSIDFoYvEnJifzXS1n
        uMbaYN8NPXPWckikjSQsF/E=
        -----END PRIVATE KEY-----
        """

    private static let aliceDevice = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCb6mOHmnpoKhtq
        HrmMwFDPEBFf71gCdjLhhhM4LJ4HaH798n13MH25Tog39WOovC+d05I1d1BvSeAT
        ibIwwX9WmgRlbj0XZvU16FcgdfdIXTAr3oC9d0L3M6/WWTx2ahnLiHGybuJzPTok
        WfD8aGJWGKKM4dvC9IAkXfA0B8Y94ZppkHdmch9an7GzrNosmaktoL8O9HUf5CGW
        fGirGUdUg6X3hWecG+As0ciwtmGZ87498tO9HdkSpIYlAonc+eR0QHvYP1BUxS9Y
        PYSvWP44q5AKQAO5upTdta7uv1S1LIm6zGq1hPBfLHB7olqWqnq73ok/qpg7A6TV
        YgLQzeplAgMBAAECggEACcrxt+dpt0enw6VM4ayFls/LS5OAm1z5qqUNaXqR7WSw
        jzovC7CpwN0QHLWmrgct1XOfrAiDro29C3UbUkkg+ps/WfCP2Tuv/JQMft8x6iNi
        Pmsh+mR2egjOyz99FvHoj1pRS9P/mJ3YnEZi5rOWs5ImCYO5FhhdwQr+ZoIzfxjm
        hW15eqk/htr3xduBAbBihSqixulCTaAElqryJnR3e1ns7a7al2uUJUT/8Waufgmm
        o5OQLKyvZil7THR/+RwpVt8kUPZpjlLfy0usT8ArFEmrUcMIJVCWKYWyeHaUwKLB
        fzUuD4aVneT7y9uADOEmo/al43PwidwE6zNXb0k5qQKBgQDR/pajid6foNnShy0Q
        Z3BJLUkzgAImpXHXmtX/X2hUIuBjoE/vui4I+GKBqwGIAWhB+EMqAjgSSo2n0z4q
        O+tL2xJzLN3gfg8SMXGMi7oK+vVYW0IoZg9wcXLalr1SXnQFo7ee4x6Vcqt/RW8f
        sw9jdXfTNOVvae/nM/EiAKJBuQKBgQC+EtF4bh+nVfxATF8FapW/fqktJa70SnHn
        DeLHzaqURLCg8b1ffGuXAB8pBUNq3S5TWdbsBy94VdFm3fYpw3ji4qFfr5R29eu7
        Z8o8niwrO4z6KfScgaFBTfdr5aHwedvpK7vUIJkQdxP0GRdTrieFOWqHk/ZGyltS
        lWfx9G80DQKBgBxvJqKaRoTC2PvCxf1UpEWkVicdDC2DdXjGRHfByXSrDEsxJ+HE
        Cfu49k2shBaQajeUkDOd/U2svqWc2uwJFQE+dq8Vwi1lpFDIVSG8wcI+3P3LzZd+
        ylRlaDHk+1mt5HPnCTQAeOGvlz0yf6uBKXJEM6droC2H4K4jwGDkSRQxAoGBAKfu
        HF/Ye+LuFzX/w5wXdUKA95tJxe9TrprDK+/3h5QDtEIeEoBAfxYkJ2OooM3TqNA/
        eaGDH6+jsqS9ynVPnIhoTscpa3RHBgTHSGiSHtf7fyyu0M1NwljeN5F+irraDy9N
        Ul+yhUmEy35IhNGL9qK//ZzXXylgM5sdIX8lxPIpAoGAXTtexCjKcVYzJGEeVytq
        NW63WgwJuN8YTGXl2L7WpMykLCIApirYzVVu/PoNwhlp5mhVU+2b87/M0HCdCEsI
        ME27BpHg/Q2f9WpKf0JOw2v7azHsds3Lg1PnqxXOv2Vzsz8p7Qto4X7N+nMtScbU
        WDES0Ypn7Oq97Qc5JW5LWDc=
        -----END PRIVATE KEY-----
        """

    private static let aliceChain = """
        -----BEGIN CERTIFICATE-----
        MIIDTDCCAjSgAwIBAgIIS2kR4D8EwSgwDQYJKoZIhvcNAQEMBQAwSTENMAsGA1UE
        AwwESmFtaTE4MDYGCgmSJomT8ixkAQEMKGJmMTE3ODM0N2YyODFjY2M0NWZjZjE2
        MDkxMWM3YTFkZjNkMzljZTUwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgwMDAw
        WjBQMRQwEgYDVQQDDAtKYW1pIGRldmljZTE4MDYGCgmSJomT8ixkAQEMKGY2YjVi
        ZmFkMDVjMWEzZWYwNGZkNzA3NmRkNTUzMTMxNjhjNDU4NjMwggEiMA0GCSqGSIb3
        DQEBAQUAA4IBDwAwggEKAoIBAQCb6mOHmnpoKhtqHrmMwFDPEBFf71gCdjLhhhM4
        LJ4HaH798n13MH25Tog39WOovC+d05I1d1BvSeATibIwwX9WmgRlbj0XZvU16Fcg
        dfdIXTAr3oC9d0L3M6/WWTx2ahnLiHGybuJzPTokWfD8aGJWGKKM4dvC9IAkXfA0
        B8Y94ZppkHdmch9an7GzrNosmaktoL8O9HUf5CGWfGirGUdUg6X3hWecG+As0ciw
        tmGZ87498tO9HdkSpIYlAonc+eR0QHvYP1BUxS9YPYSvWP44q5AKQAO5upTdta7u
        v1S1LIm6zGq1hPBfLHB7olqWqnq73ok/qpg7A6TVYgLQzeplAgMBAAGjMTAvMB0G
        A1UdDgQWBBT2tb+tBcGj7wT9cHbdVTExaMRYYzAOBgNVHQ8BAf8EBAMCBJAwDQYJ
        KoZIhvcNAQEMBQADggEBAJhtnQ5GsPILd0ybiO6qJ9+j7ljYdmRIhcF8hUkubU76
        sTQE0PS768IfsDLWKb1XlxnmE4sxW4dJiZPxTNFgO6fnLDNqbR3eLKVCw06JRV+b
        ZDhz+55AEEINKXDhwvFusEYPo5Q3UkeOKcMgMYqhIRqV+M1rmWwe8vpKs9o6PhaN
        RVpPTgFm8uKWbQdnVecrDLdIzfoJBOTFzDicIsrRpIcAENMl0csjmzuh2DaO2QUJ
        in3EoONqPItSJ20fTz6/3kDkKiQtEB9xhVGNC7Txk/4eGT92EXxFTrYt2kFqmmfh
        9sCP5k+NQUQ/IU/atjg0sn/8RyHZ8op9cw0aYyQBWWs=
        -----END CERTIFICATE-----
        -----BEGIN CERTIFICATE-----
        MIIDWTCCAkGgAwIBAgIIStIpxAOj4QIwDQYJKoZIhvcNAQEMBQAwTDEQMA4GA1UE
        AwwHSmFtaSBDQTE4MDYGCgmSJomT8ixkAQEMKGU3MmU3ZjYxZDliNDAwMTM4NzZm
        NGVmY2Q0ODdiMzhiYzU4NmM5NGMwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgw
        MDAwWjBJMQ0wCwYDVQQDDARKYW1pMTgwNgYKCZImiZPyLGQBAQwoYmYxMTc4MzQ3
        ZjI4MWNjYzQ1ZmNmMTYwOTExYzdhMWRmM2QzOWNlNTCCASIwDQYJKoZIhvcNAQEB
        BQADggEPADCCAQoCggEBANW2BC4fbwsb3d1PAlRz4W/SeiGtugKf0356Bgg3X7qk
        0l5jqwp0eS9ZZsOLXkto81N7OBz0HELjb9CWaxDNOgkV0yOSPYh86/wWCtmLuBot
        qmzQVFLo/wEGFeGosgddCQEC65Zbm93+dJVvpPljNg5tXdkUJJTwiP2krP5SAQ9Y
        msu9HoFQVVFIDNRjncBdjEbsUkhmGRb1cVjgSq1TrSIXiYCvPlibhyU4VRp/NfoF
        ivi/bD1TNTQLD3yDsJlmvrtMA+9ygETEgZCKT2wLps43LD2TChTaSaBHtXYInONY
        RlwsNmA/zhMgIpXee3wtI1Fu7rEEw+LAawbt2KKikbMCAwEAAaNCMEAwHQYDVR0O
        BBYEFL8ReDR/KBzMRfzxYJEceh3z05zlMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0P
        AQH/BAQDAgEGMA0GCSqGSIb3DQEBDAUAA4IBAQAFyJzewXwQT58kNqShV1G79Muz
        2Ano09l8BggieqIbBH5S7KE/QMDTPAi/5m9oerlDq3Z6eY1zXNVlbpEb9IsRBSbX
        gOcbo35ZkA69mMpruVEclXjZODNya9OvHsX6InDGqbuLW53FwanIvqB7sCBuu+bA
        Abc84aRbz5nylQzvaDojQ9dsBbFU1YJgD3fIk2be6ymSfsfLYATQJuoInQ0AjaSa
        /PjCu2UUjCsCjDIL7e3MJ7QkIat2DfVu0igwsdp3Y5yws31v8yUStPsf3pxP7sYn
        HaDIkOCNHhI4V64g1fexe5GRNz4txtOLNIixRv/em5OwHtZotMWFERSh3Vxd
        -----END CERTIFICATE-----
        -----BEGIN CERTIFICATE-----
        MIIDXDCCAkSgAwIBAgIIWkJvIwtC5dswDQYJKoZIhvcNAQEMBQAwTDEQMA4GA1UE
        AwwHSmFtaSBDQTE4MDYGCgmSJomT8ixkAQEMKGU3MmU3ZjYxZDliNDAwMTM4NzZm
        NGVmY2Q0ODdiMzhiYzU4NmM5NGMwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgw
        MDAwWjBMMRAwDgYDVQQDDAdKYW1pIENBMTgwNgYKCZImiZPyLGQBAQwoZTcyZTdm
        NjFkOWI0MDAxMzg3NmY0ZWZjZDQ4N2IzOGJjNTg2Yzk0YzCCASIwDQYJKoZIhvcN
        AQEBBQADggEPADCCAQoCggEBAMc9V4EDLANIceSh+O1zfGa9USB+NTgi9VNXg2K+
        L/RZUk6wgudYf0DyFwxGIVAAOgvW8GhAIPzo/BEEivakerTTEARd0VFqmCsBjr70
        1vGptumwx1y/YJXeXQcWSMe8bQzJ3G8hW2DLA9rdzINzc5Dk5vaissTORtYuCRMA
        VVtc3ajs6b3aMmd51e2KXWB38y7zBmUW5t/joQMBwQy4bqlVA+EQv0AAX3FFHapH
        VZzRoAp/UPPzE/vIHAL8i2DX35o4S46FHxB4DBvpZAwKwsAWt3IVcHBMABp4/Aep
        FcgrFuRjLP28s8uZ9+4I1sFjvO2JE5tmzJhdyUKhngTP5ZcCAwEAAaNCMEAwHQYD
        VR0OBBYEFOcuf2HZtAATh29O/NSHs4vFhslMMA8GA1UdEwEB/wQFMAMBAf8wDgYD
        VR0PAQH/BAQDAgEGMA0GCSqGSIb3DQEBDAUAA4IBAQAEPmu8L6Cz/UtkHofwGsqV
        BOn7Vp6lmmhjG64FWxeN3BpV7/nSTdJdEAy6MU0AkqghcJDosWIFCoreu0Vl4tJ2
        6ZzQOg1be6GeHlTUxFn9e4sIjRojE/bds0v8pnkkJopiQCv8hVY2kpKVz3yU9xst
        4p31i7tI5whUcvrNMHL7lWZKcptyo4x5ufIqwDCl/DQ6V+qsHnmMqL0c+xjB3ruk
        o95s4Tqh4jU/eE42qcNXzEsNtBuNxsdJk2qXzY8GHFDMEjCYLkm8o0ITuPeAKIxP
        BmewPXc48LeI04t1rNt33TBcIYgkEOD8M8oW3gZ5Az9RdBMhW2yRB6zpi9G2ucZc
        -----END CERTIFICATE-----
        """

    private static let bobAccount = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDj8fFd2cCaFmEr
        SNh4GFAcmqRkASIHjEgrLGBEX20cN1vVCX6WY3BmK6/3yJD+QeCsG+YIqrfqp1xJ
        kfU4bZcwcuhZ67v90oi9hrDYkEuNCWQntPHicA7c9MYAcs342Cs42+tDdUCxwLwm
        1C3EhUr/W6q/d36q+Rz+Ex3cbYBMreN/CR1lJyl6ok5CQoNAXfaqjOPG6f6OlVgY
        w7uryE0l9GKxmojl5oEniPzmehfeYWqgh1isD3fTvWqH4WVDOodmUJ15IXNJo6dN
        obibzXCcT00Q0WDF3lDsg935HmSREh+2Vkirs1f/Z1XiojvzhZY+7HrSm7QOi89p
        cSBwcGlrAgMBAAECggEAFFN6xneoaRUdzRJN20evvR09E33WXv3vYYove2lW/XEi
        SzjxhM+RMksrAdlstH+DXVWPia5PgCk0XYsaZtG+7Z8RgRM4TEX904izNFyJoCX6
        PGAyQZLkgGeDUH7sRwhfsk5KCFXoUvFw1bWN7zxDl8nAzBoHvY9BOpbRztok2rFr
        vMEOEwr/zIhGP9e0K3pTdsvoARrFxvFsy8br5DmnVuqH8jwRR6ueZcEFcLXNx4f4
        vp/NaOQh6AZb/yOy0W4avcvYpJcKQRNjGqHd5cFKwTkfAop8KS0rVCdf1UEAO3qW
        g5ICeAzcbt40lOT1P+SnLjnTMpqKBTVECrWcVWYq4QKBgQD8KHpmlozh//WwPjls
        t17MXn20a0Wu/HAeBP7RqjirPN5rf0fPKAxPpnFr2tn4bu5oWG9i2n+mZ218j52/
        5LcRXTcpowSRyfoP0z2YNO81O8KQKYicMl+FIf6eV305Hs4rSvv4hPqySzyqE3z+
        egH3Jud7bWjMPGsB8m1JFPHWlQKBgQDnawYXhooIxSP/QlRCBrJ20fT0Q4PEuDQh
        2AfdE7dtUZyWFvzjR+Nju6RONbZEWUtlhN8vyW8aqMCYvvrXyKhs7abACf4Xoykl
        Ud9I5RBSvyzhiiz24TxdV859+6hJ6f56uG1/i9qeiBH9Jt1OFWD3zjTyPB7nIYkB
        VPMP0ok//wKBgQDOx6bwX78yScNBfxV6SLlNoKM3A80GHW8XvwL0DsIf8m92+c56
        W54U5yoVx0d+CgIpwXO+Pe32GNTZE7DKPxW9AJMO6ucBYv9UYOce3THYlqQLsnOb
        m1dnhqQVVyuSXue06u3MM8id00LxOcADsyvPcLDdL7CD43vhAduK1ckoLQKBgQCB
        s3cfmlUk4zDwsME+nDhL5hLPEEP67m6xhT2rB5DnoTUM3edwjusAC7vj5bC5D/70
        8AqS4uf1Xh1LvsYiSKE1I+Ewgqk5oEXAV+m4FkIWznUeF25qFATcIAlojLJectog
        99rPAJhP/91tL+obCFpnqNf95/o9+oqqB22PMaWhCwKBgAqNWWsRvKHt7au2TfYS
        wkx7h+qS2dCDIlBz+72Swo7dLC/cQ4ZpZNkIwnLNK/u9omDEPhoiLc2J7AJ54RX2
        mr2QmBZeN0fW3rINfdLTNLwc9qefj0lmbozBBOeVOj5cIrgZ9AtKbaTZLO1oUdEr
        Nggceraz+kAXOSqxQT4pIBlH
        -----END PRIVATE KEY-----
        """

    private static let bobDevice = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCgpJe+0ZJ/b9uY
        LvWm9Slcd+f+z0j6rIchPIeK/UMSoT5529CCvvTZvDMr3vCcn6Z2aq4qIrStHBeF
        ckiESQjWR8a3i1sISEEjpGbg6QRrkSQCa2MJI0JoSSctem6x8YK0aoctWL7AqAHQ
        2GhvSq80bC+srHTwfpNA5cWR2Co3603yI8AO+meDsYUsHudYKvcaEvgxgfe3sQml
        LzbRjj1wFQQyTKy6wlE8JlR0bTOGigOYwWEzOcM6880d7oJxSkcOXrTT1vIXCngw
        Sulb2kfvUzgOh8WeuqHS3j27rw84vECn2YjsHgPS1EIJTTQMeaU7L97U/VqnHKHJ
        e0q5QdQBAgMBAAECggEAHX5qr+mpZIVkg3nntzoe2G/ZY+Kp6wA/JR6IYj/ijyqU
        nmn5y++EY++WU5EwiwkS1n36sRjDJF9agDE92C/SlAkElpFa6tfdQc5+5v9RRPCW
        dG1D9xsGp7/6lfJ7HWeSkE5YuD4pc5TFFJOPBRPovA666BCXvcn3fjxRfFf8VFyw
        cRw5nbV5u9OfTo8FKQFmFg1yY1D6gzDuMlAYtWlZY+2gdvoyBbQEADYbOV6LSgb1
        SszjrxHkqtCtnIxu+DtIq/D3YLl6NJhUvuwArsjxbtCt70MSP9TKzWJRd019dDj5
        rrlx4O0pChsB18DMLKDyMhpFv9MDU5FH8ktCRidNIwKBgQDLVh5ulZ4yiVDy9PdM
        pTwsENd1z16R/7DNtfV3HOFzi9Qb3uspb3tZrQiCPMiBhBU1xIykhY6Ka7Nevusi
        UX5fcWY7kMxj+ofgrPycGNbzzrSaujmuSysYRkh6v8K3Hn32Cv6k561n2SJTN5eT
        Q7sR1iI/MFwJdrkAIj3/tGpahwKBgQDKP8FOPdblAcCYowlw+gusRb1o0KLy6VG4
        9L2KcRzaHnwcBgIk/dql5eXYnHlPkLt5oqwa0EsdTmjFfYhAp2cJ5OlXAQEnGnz3
        wkQbx2tyg6fXyRvLi12yNAsnUVicXHG3hNJIUFRbGZ5GdXynO3XkGmW9eDYl7wyX
        nAtFu9fXNwKBgHDmt20FjFpZHmZYmDupf5ikHU5fvw3n4B7IiqwBkDkdCcAT7ZUL
        Pn1Tc2cFIvuvACvjn4f2VGgNVwIjleFvSHDsQSyPwL0+rVWWF4kAzdGAE43aGw7o
        09vdon7tnMsaliwYfL3JmeIQkVuNgY8WS3ei408cpe3nSt+FI9GoNmlfAoGBAKPx
        /Hu1Ky6mNf5FIxEe0DmMqtZ9UanBMorQcZj4yh+R2J9Ky5A663PRoXjulnPF6gLW
        t9ZghJM0DUAR21I1oRPnKLNrUAjnsueP5W/zPoksafFEx7A+v+wFvgjYKxFM6q2O
        EHuoCklywddxw2M4kv8d2t00xggH+FgpmQWlGHkPAoGAYBf28DAykp8IzndTIP92
        5xuaYsk+GQRrGl7C63t3ho8YwbmtrkeJ51UbztttmvzazE8eKnfaG+1HrfU6HnqB
        PNyPjS5OiHS95BWQGCEw/jR9kAUJgjysRuJimyRmGOHYiAQiHehrBQujjf7K7GrK
        5svjQhyhZPMavQ5JpCIb92k=
        -----END PRIVATE KEY-----
        """

    private static let bobChain = """
        -----BEGIN CERTIFICATE-----
        MIIDTDCCAjSgAwIBAgIIUm/aNFF1qrkwDQYJKoZIhvcNAQEMBQAwSTENMAsGA1UE
        AwwESmFtaTE4MDYGCgmSJomT8ixkAQEMKGY0Zjk3Y2M2NjM0NDEzZWU2YjFmMzU1
        NzRjNzc1MzRhMmIwMmZkN2IwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgwMDAw
        WjBQMRQwEgYDVQQDDAtKYW1pIGRldmljZTE4MDYGCgmSJomT8ixkAQEMKDE2NWVl
        ZDgwNjVhNTc5ZDdiNjA4YjM5YTcwZDdmOGEwOWQ5ZjNhODQwggEiMA0GCSqGSIb3
        DQEBAQUAA4IBDwAwggEKAoIBAQCgpJe+0ZJ/b9uYLvWm9Slcd+f+z0j6rIchPIeK
        /UMSoT5529CCvvTZvDMr3vCcn6Z2aq4qIrStHBeFckiESQjWR8a3i1sISEEjpGbg
        6QRrkSQCa2MJI0JoSSctem6x8YK0aoctWL7AqAHQ2GhvSq80bC+srHTwfpNA5cWR
        2Co3603yI8AO+meDsYUsHudYKvcaEvgxgfe3sQmlLzbRjj1wFQQyTKy6wlE8JlR0
        bTOGigOYwWEzOcM6880d7oJxSkcOXrTT1vIXCngwSulb2kfvUzgOh8WeuqHS3j27
        rw84vECn2YjsHgPS1EIJTTQMeaU7L97U/VqnHKHJe0q5QdQBAgMBAAGjMTAvMB0G
        A1UdDgQWBBQWXu2AZaV517YIs5pw1/ignZ86hDAOBgNVHQ8BAf8EBAMCBJAwDQYJ
        KoZIhvcNAQEMBQADggEBAJ11LaeumPcHn2NwSKMNl+5QxM5mVWtHntvonwsDz8aF
        DVgfcWxjcHBHmjyUkWydHn8wYuPwUO1QKV80a1UmcF1kDOwOgrXFfWyOY+Nvu6SC
        uiu1D31VD8NAgOtI0gYmj/JGrulnMO1uCfX9v0QztQkj2lgeh95M9limNaelZwxT
        TH/eOTdiISoJYeR+rw1UaNz6w86TdRjy+NZfIsgCJNAudMIxF/FOC3o2cBAOqIDl
        5lGDLREKveIXEOog+YC7DEWkZ8rVuvmdkqYjPJ17MmJ8YF9EaDtlVV2kD6v+mTVx
        lo9PHG1Sx/kHaZHjZZ60KpjiA2xiW+P1V2MClJ5tK/g=
        -----END CERTIFICATE-----
        -----BEGIN CERTIFICATE-----
        MIIDWTCCAkGgAwIBAgIIS0oeO4ha564wDQYJKoZIhvcNAQEMBQAwTDEQMA4GA1UE
        AwwHSmFtaSBDQTE4MDYGCgmSJomT8ixkAQEMKGU3MmU3ZjYxZDliNDAwMTM4NzZm
        NGVmY2Q0ODdiMzhiYzU4NmM5NGMwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgw
        MDAwWjBJMQ0wCwYDVQQDDARKYW1pMTgwNgYKCZImiZPyLGQBAQwoZjRmOTdjYzY2
        MzQ0MTNlZTZiMWYzNTU3NGM3NzUzNGEyYjAyZmQ3YjCCASIwDQYJKoZIhvcNAQEB
        BQADggEPADCCAQoCggEBAOPx8V3ZwJoWYStI2HgYUByapGQBIgeMSCssYERfbRw3
        W9UJfpZjcGYrr/fIkP5B4Kwb5giqt+qnXEmR9ThtlzBy6Fnru/3SiL2GsNiQS40J
        ZCe08eJwDtz0xgByzfjYKzjb60N1QLHAvCbULcSFSv9bqr93fqr5HP4THdxtgEyt
        438JHWUnKXqiTkJCg0Bd9qqM48bp/o6VWBjDu6vITSX0YrGaiOXmgSeI/OZ6F95h
        aqCHWKwPd9O9aofhZUM6h2ZQnXkhc0mjp02huJvNcJxPTRDRYMXeUOyD3fkeZJES
        H7ZWSKuzV/9nVeKiO/OFlj7setKbtA6Lz2lxIHBwaWsCAwEAAaNCMEAwHQYDVR0O
        BBYEFPT5fMZjRBPuax81V0x3U0orAv17MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0P
        AQH/BAQDAgEGMA0GCSqGSIb3DQEBDAUAA4IBAQA2GfgLYlgQ684MrYlX0dlhTXYD
        12ehmAoGUX7sz0y04lg61AjByS/clDHAQA3vRLeJAfQBIs9PWMXFrDpMkr6AuQOa
        Oh/kbhjWQ3W56WPHYxFO1ng8S4YJWPJ8JhJSpLmS1xPynxymPd+W+tvh1IwSkjsS
        J+C13mIT7QoabgOzaUaZRuLdH1TVtlot7E78XcCBIw06aNern0XXO83w1TWTYkcB
        PZswfMk3xxs2DMMwX1mQx8qfTvYm4+Z4H3Vlw7cZND46+Es9kdj9+lT8WF3/afjK
        7Ax+i+gziggPxas8rnwFU42zaFuOWx3OlMcjZvN1Ylv6HULjcwGCMNAuIsbE
        -----END CERTIFICATE-----
        -----BEGIN CERTIFICATE-----
        MIIDXDCCAkSgAwIBAgIIUMn/NW9u7HMwDQYJKoZIhvcNAQEMBQAwTDEQMA4GA1UE
        AwwHSmFtaSBDQTE4MDYGCgmSJomT8ixkAQEMKGU3MmU3ZjYxZDliNDAwMTM4NzZm
        NGVmY2Q0ODdiMzhiYzU4NmM5NGMwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgw
        MDAwWjBMMRAwDgYDVQQDDAdKYW1pIENBMTgwNgYKCZImiZPyLGQBAQwoZTcyZTdm
        NjFkOWI0MDAxMzg3NmY0ZWZjZDQ4N2IzOGJjNTg2Yzk0YzCCASIwDQYJKoZIhvcN
        AQEBBQADggEPADCCAQoCggEBAMc9V4EDLANIceSh+O1zfGa9USB+NTgi9VNXg2K+
        L/RZUk6wgudYf0DyFwxGIVAAOgvW8GhAIPzo/BEEivakerTTEARd0VFqmCsBjr70
        1vGptumwx1y/YJXeXQcWSMe8bQzJ3G8hW2DLA9rdzINzc5Dk5vaissTORtYuCRMA
        VVtc3ajs6b3aMmd51e2KXWB38y7zBmUW5t/joQMBwQy4bqlVA+EQv0AAX3FFHapH
        VZzRoAp/UPPzE/vIHAL8i2DX35o4S46FHxB4DBvpZAwKwsAWt3IVcHBMABp4/Aep
        FcgrFuRjLP28s8uZ9+4I1sFjvO2JE5tmzJhdyUKhngTP5ZcCAwEAAaNCMEAwHQYD
        VR0OBBYEFOcuf2HZtAATh29O/NSHs4vFhslMMA8GA1UdEwEB/wQFMAMBAf8wDgYD
        VR0PAQH/BAQDAgEGMA0GCSqGSIb3DQEBDAUAA4IBAQAiImMfl6J7dB2ryPPr1MjH
        WAq27iXSsG9Dfq2fC7+cnTxgScB+IPqBtL9uWGAGjnxzK1VO8Qe+qYnPftTI51Ch
        hk52jM79foHPJIYdL4jiIW/3KuBwtUgmFhV+EKBwfm9xnf4v7jPVjMNHSQMfPfh9
        w6HrjZV6DX+bFaN9M8/DBvBT0jEQmuRubPeQVUg08uMBSUmfGwU/Reu14ql7n+hS
        vO/wbjA7tOh7BcKmOuDLJ3W7I9Pe7292WDH1oeQrHsPsqTRTYHiJN5nYP3dF/daw
        7hnE20futTCHgB2TaCvOfnaLXCr4F4SkvAQ1JY2MOODPzchF4ZJIjqHOxVRiISQI
        -----END CERTIFICATE-----
        """

    private static let malloryAccount = """
        -----BEGIN PRIVATE KEY-----
        MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCejBAWCzs7yEr+
        Vv+xNZmzuuVDCOhtSMxr31p/5gYhQqcVBiaK0NP17YnQ5M1Nvesj+1CxBFifpbz3
        gGnQxrk5bqWDUG9fNzJXwe9y1b7RDV1Q58r+EcpJRLtWZGnFodnwysO1pve1/ixl
        PoLT/Lupiz7Jq/0S4loPVml3XoDlpJqSW1eZ9oX6EuChspC9lICbjbqMYBU4lqbs
        tPHR78YA/4/8Gl7XoVvH+L4XNNcUM93FXvrNcOQmKpEZ1v0AMEXCQbYvOj7PTRWG
        FYMiY+EWOC6aj96z94rqFXL1taXJyCjo9SneKcg4ePSuu6Wzfp107Y82uzuJqeIP
        Pwc3OGpdAgMBAAECggEABZezto9ZXMu9J3kapl3ZaN9aGHH/PuGfQlvb1aCfzTsM
        aT+xCtsAaw+guaNkgY5GNdv21fOtC56dSo63TNPBs16tjHMBJrbr+e//mgmjpDyo
        MsMmZC1s+QYpZIwAtiW2KhoA6s6ztLH9T2nz0/X5iaq9gYAlWm3tFtbpu/nzqoYE
        aUFfUFcnrYAvwCmK41VApccSs6XJihpk5pukJJE46rqIHXliNQmv9JKc8NF89/Ul
        yUk4SEboVgfLuuR7ZUKRS4HIoc8wzx9esjX3My797qn5AKmbxieUjiWIg69dUdsT
        W0t9m+z/WvBHkhV+NVVCn4iGKKaV8kGhVno/NkXuoQKBgQDUSx7yojCeol3MDTwv
        b1RymiKQzp+vzygjmGeibQQKeQI0o28m9NumuSlw/uGGzSKqdHoqSY2URjruH5Z8
        J2z9PTo9dhSG4craTc3FpcUE9EXlqCGyfA3zCmf/dUhTshHdeT+pGxr78xP6KsVr
        QD9MU5hwXy6e4NkXk/cClIKoPQKBgQC/MEEClKpa/enRyyma4DdAzbT4/eXqcuEn
        nByAgusR4pRdwRhxHmOX9c2ON4ivfbtEmTuub4vfEQ/OFuHRTJl5Llb+g0rp3Seq
        zsimWoT9VkDV5vv7BXWgbkyQkvYjQOQIrOGdggPGqH2W1pDXqbTe7RpaNMqyqJXs
        RckB8qzMoQKBgHEh20s4LarMIio0v2cT8C/mfhcnVagOQHi/pjLD38xo8kj0864R
        /OAber8xxSPeO+QUkGnqqp1i09LEWKCvLgDCWUAZphS/TSgLIGZ80cKzHnClqdeB
        Drn/SK61ZKbdlXGuRMOsozOzNWky0+Q058aYIft4bdLTRj2vZ4ojdIGNAoGATyUw
        pFrastROCRUrYfvTo7YEZtbkaMupvXX4rpKDsWG0vaMD9T/5RpzwvSDsKonIDjvI
        4ws2Qd+URWJflP86wVmXlcDQMEPm+eSkV4k9aIpeSK5YPbAi44kFlQvhbPKd86Ft
        vIBoA8MYSmsEhuKwB2Dr+c/E4XS8q5SwA2hsdEECgYBCu8spiZ0avAY4jtoH6VeG
        p36yY9r+EmUxyP/FS/6VFac9sBfo8nArxJhhvQJz+wnRLcBLh0c9Gm+sLftRb2NN
        Jj2hMZLWdacuk3arRoGbT/RmC0qduPQtkGP6UgHUHbT+OXRkIMdC1U9TJrONMojV
        rKWzvNYz0DTuAoKUMhgzIQ==
        -----END PRIVATE KEY-----
        """

    private static let malloryDevice = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDHPVeBAywDSHHk
        ofjtc3xmvVEgfjU4IvVTV4Nivi/0WVJOsILnWH9A8hcMRiFQADoL1vBoQCD86PwR
        BIr2pHq00xAEXdFRapgrAY6+9NbxqbbpsMdcv2CV3l0HFkjHvG0MydxvIVtgywPa
        3cyDc3OQ5Ob2orLEzkbWLgkTAFVbXN2o7Om92jJnedXtil1gd/Mu8wZlFubf46ED
        AcEMuG6pVQPhEL9AAF9xRR2qR1Wc0aAKf1Dz8xP7yBwC/Itg19+aOEuOhR8QeAwb
        6WQMCsLAFrdyFXBwTAAaePwHqRXIKxbkYyz9vLPLmffuCNbBY7ztiRObZsyYXclC
        oZ4Ez+WXAgMBAAECggEAHR6ji+kVRTOQ5dwggD/5RiDUWx3nFFnTpkcrnkJyytFF
        PNgCgeKG0syvPq1/T+yAj1tuTqZUy/IXaTtTPiIjBwu0ExdNMQuVyu9S2Cj7w11N
        LRGXyb/002KpERCaOYsaGxzjuWBUNSzm1tXE/s9gbCRwd0qnOyl04/fdfqf1UcFa
        X8Ei1uLEOVcEOSjkp3hCY4hCNXOA6wfNeUfSMXkpzSrdhrZGvJn3j9XyGvaxTPOg
        jRdO1G5Ev9U5/eNonlK20sziPgrDRKhr9vswUzqrMa2QR2Vf1L+qoZ5tuW8kRnch
        wm1g+wLXaffL8rO3uXD+zx6KU8ijC95ZO0dX3RhtdQKBgQDoCWCmYD0Lt6tS2raQ
        Q8auAAXa5/xVFDPgl3STiVWQVkV6dt5AH1CfCM3di2Rvv8x91/W+/mXWNkbpMdJ+
        /0ozvLu8pTWsgFz5vO/UbSozngpJ7Fj5Z+YYqeM3nDSfdRBHJdPvr3SdQLOGT3fY
        gs72dGUQRDFHDqU1ZSHujDbBNQKBgQDb0N8WDN7GcRK3Zjza05Itfu2oaozGg0dK
        eUfxhIaicr2TILs3rXaKAvHmal4PXaS0R1xxzQFFCdTpIQMsqRdnDq8+dAHrP6dh
        +oF4dtq4rvh6RaRTKZsX0g4YIYGXutwNNrtM9QUPWEmx7GcnnOSnd6XkWyAeRDwf
        dFddWwERGwKBgQC7GZyqa52tzhtCgwOEznHtKi2Od1Nbkx/FsLqaoLmy2i3J8wGB
        OP78TdAaHWUOStzseHA64s1g7oE9ViRCrT26/CtxkNH318Wgxr2oT6Ig3wWy1/Zi
        nWnHZ23FEJrKHU3T4OfFNHhWuK5J1dhwaAHUbsRzWllVz7Rdmr/Cp6MbJQKBgC7c
        GSKnPbqKElZcii6QGcJvI5TamgYbqE/9CNQ4z0bENRuvR5n39aQ4On9HP6QA74Kr
        D88Gx/WCwgusyPN1XJLQs5UZv+r5l+IwN/eJRtlGG5xdSkmcPf7W/cAxLGI/KHf8
        qfMe7KQ3ywYOAnOUY747qHbE4lTxcOu3roQtSU3vAoGAa+4qYzYjsVMQ5fDmGAm+
        UJfES0a2rG90HQgD0Qmq033DMfgc0FHuWS1Gfq0u49YAwA2bEroknH1px2lHaq/g
        YcpHLQ4ia3mNuAPZmQyLjzF3HQEMxHpjRM3MQhWNc4RgA1OgQHz1qLgHvpCmRXeV
        pjeEdDpksS4Oj5jqKrzJOr4=
        -----END PRIVATE KEY-----
        """

    private static let malloryChain = """
        -----BEGIN CERTIFICATE-----
        MIIDTDCCAjSgAwIBAgIIRbu8y8Fc5jQwDQYJKoZIhvcNAQEMBQAwSTENMAsGA1UE
        AwwESmFtaTE4MDYGCgmSJomT8ixkAQEMKDBlNGZmNGMzZTJhMjhlZmU3OTI5ZjA3
        NGM3YzJkYWU4NzljMGZkZTIwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgwMDAw
        WjBQMRQwEgYDVQQDDAtKYW1pIGRldmljZTE4MDYGCgmSJomT8ixkAQEMKGU3MmU3
        ZjYxZDliNDAwMTM4NzZmNGVmY2Q0ODdiMzhiYzU4NmM5NGMwggEiMA0GCSqGSIb3
        DQEBAQUAA4IBDwAwggEKAoIBAQDHPVeBAywDSHHkofjtc3xmvVEgfjU4IvVTV4Ni
        vi/0WVJOsILnWH9A8hcMRiFQADoL1vBoQCD86PwRBIr2pHq00xAEXdFRapgrAY6+
        9NbxqbbpsMdcv2CV3l0HFkjHvG0MydxvIVtgywPa3cyDc3OQ5Ob2orLEzkbWLgkT
        AFVbXN2o7Om92jJnedXtil1gd/Mu8wZlFubf46EDAcEMuG6pVQPhEL9AAF9xRR2q
        R1Wc0aAKf1Dz8xP7yBwC/Itg19+aOEuOhR8QeAwb6WQMCsLAFrdyFXBwTAAaePwH
        qRXIKxbkYyz9vLPLmffuCNbBY7ztiRObZsyYXclCoZ4Ez+WXAgMBAAGjMTAvMB0G
        A1UdDgQWBBTnLn9h2bQAE4dvTvzUh7OLxYbJTDAOBgNVHQ8BAf8EBAMCBJAwDQYJ
        KoZIhvcNAQEMBQADggEBACkUGZO7jUxMwpOU8Ikyc+DPg1gKyTZAVjr8prnfuhM9
        2PmdtDJYTzzO0/OneOqvPnWGBsIgCev+hbvUSejG8F4oPMjmLfpSQoc5QqWNA/Ar
        1wuUXMokrNAjB3Xdau3VbzJf+WySatms517y2lSoSTTzyB9jPg7ytSLEsGKYISU4
        Sh0dmnX4iEjulG95biLnFoORe8TdC2GhKqkKR2w86FqwAEXlngCtbBqKrdEjFWvk
        /ae1W0TsoMIf5b3jg0LjphrR33XHuYfp2DB972XH66Hsd2kWcMq7JkNSH3WLOS5H
        PzqCFOMyxZjQIdN9B4IDoDUfTRREH4SgK0LjS2E+ns8=
        -----END CERTIFICATE-----
        -----BEGIN CERTIFICATE-----
        MIIDWTCCAkGgAwIBAgIIT94TqZLrAkowDQYJKoZIhvcNAQEMBQAwTDEQMA4GA1UE
        AwwHSmFtaSBDQTE4MDYGCgmSJomT8ixkAQEMKGJmMTE3ODM0N2YyODFjY2M0NWZj
        ZjE2MDkxMWM3YTFkZjNkMzljZTUwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgw
        MDAwWjBJMQ0wCwYDVQQDDARKYW1pMTgwNgYKCZImiZPyLGQBAQwoMGU0ZmY0YzNl
        MmEyOGVmZTc5MjlmMDc0YzdjMmRhZTg3OWMwZmRlMjCCASIwDQYJKoZIhvcNAQEB
        BQADggEPADCCAQoCggEBAJ6MEBYLOzvISv5W/7E1mbO65UMI6G1IzGvfWn/mBiFC
        pxUGJorQ0/XtidDkzU296yP7ULEEWJ+lvPeAadDGuTlupYNQb183MlfB73LVvtEN
        XVDnyv4RyklEu1ZkacWh2fDKw7Wm97X+LGU+gtP8u6mLPsmr/RLiWg9WaXdegOWk
        mpJbV5n2hfoS4KGykL2UgJuNuoxgFTiWpuy08dHvxgD/j/waXtehW8f4vhc01xQz
        3cVe+s1w5CYqkRnW/QAwRcJBti86Ps9NFYYVgyJj4RY4LpqP3rP3iuoVcvW1pcnI
        KOj1Kd4pyDh49K67pbN+nXTtjza7O4mp4g8/Bzc4al0CAwEAAaNCMEAwHQYDVR0O
        BBYEFA5P9MPioo7+eSnwdMfC2uh5wP3iMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0P
        AQH/BAQDAgEGMA0GCSqGSIb3DQEBDAUAA4IBAQBkaZmTmLqjb6JFkiBL551Kf6kj
        4YOI31xIf6Z7aHcBZi/r+wW6LDEE4X3Wvjg1gUzBx6HyhTmSai676zaaFa2lr7xk
        heyaqAjLoITC9bvt9wL/FioWsJ65W9seutgwtxRYKclwqyUFGCAijySGpTccnVoq
        6Z/zWd6tCySCQrcYcedbyVhEPCoTEeu6MD+vTQkCu67OflFoZwR8OFnQ9nl49p7t
        v7lChUhB+aySceGaToPSZEw8Z64xJFd6ELFVKdT7eIw5L+MJy6i7UyZkbjl5rGo+
        Al95ScEG8P1AR19CLzCFfbMiukh0z2wU1JhKjoQ+WBE+S5saxYht/ByaQePH
        -----END CERTIFICATE-----
        -----BEGIN CERTIFICATE-----
        MIIDXDCCAkSgAwIBAgIIcBi9et3cgHowDQYJKoZIhvcNAQEMBQAwTDEQMA4GA1UE
        AwwHSmFtaSBDQTE4MDYGCgmSJomT8ixkAQEMKGJmMTE3ODM0N2YyODFjY2M0NWZj
        ZjE2MDkxMWM3YTFkZjNkMzljZTUwHhcNMjcwMTE0MDgwMDAwWhcNMzcwMTExMDgw
        MDAwWjBMMRAwDgYDVQQDDAdKYW1pIENBMTgwNgYKCZImiZPyLGQBAQwoYmYxMTc4
        MzQ3ZjI4MWNjYzQ1ZmNmMTYwOTExYzdhMWRmM2QzOWNlNTCCASIwDQYJKoZIhvcN
        AQEBBQADggEPADCCAQoCggEBANW2BC4fbwsb3d1PAlRz4W/SeiGtugKf0356Bgg3
        X7qk0l5jqwp0eS9ZZsOLXkto81N7OBz0HELjb9CWaxDNOgkV0yOSPYh86/wWCtmL
        uBotqmzQVFLo/wEGFeGosgddCQEC65Zbm93+dJVvpPljNg5tXdkUJJTwiP2krP5S
        AQ9Ymsu9HoFQVVFIDNRjncBdjEbsUkhmGRb1cVjgSq1TrSIXiYCvPlibhyU4VRp/
        NfoFivi/bD1TNTQLD3yDsJlmvrtMA+9ygETEgZCKT2wLps43LD2TChTaSaBHtXYI
        nONYRlwsNmA/zhMgIpXee3wtI1Fu7rEEw+LAawbt2KKikbMCAwEAAaNCMEAwHQYD
        VR0OBBYEFL8ReDR/KBzMRfzxYJEceh3z05zlMA8GA1UdEwEB/wQFMAMBAf8wDgYD
        VR0PAQH/BAQDAgEGMA0GCSqGSIb3DQEBDAUAA4IBAQDE1jNDCqImoNrZOJ2dTouJ
        fcxn8/YjYQU4D791EzoMXNgZ0bdyzIH9N1wboOdgyyzo6ZYQeUkfWodjyq04gCPo
        mm5G1EVshZxeTuvCxqcsZl0NCjmHq1NhgxJ7r1R15ouOruCqIbv9M0PZrVVQBSaq
        PKJ+P7Yu/gMB0mAQ8Kou1itj4oItCTDVOZ8TgJtu/xAO/mAAQGvQeWBvMRnLZ5h/
        NG1tX7x7X3HK3n3KK5+WpPHGNhVc9XEZsz17XIQgwDL8qQjEVmT9QXrqtFuIY3vW
        CowP49UsYeQ39xdVOWFbmKMo1xy2Tatj7JSXX/4GSGxLWuUJwzSDe9pgMFftvL8d
        -----END CERTIFICATE-----
        """
}
