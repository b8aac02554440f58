)
        union all
        select practitioner from role_now where source_rid = any(